"""Clips of an archive -> a prepared set: each clip tracked, cropped, fitted, heard; shards, a manifest, a report."""
