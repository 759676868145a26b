"""Held-out clips -> the tables of the README: lips, closures, emotion, and pictures, each beside its baselines."""

from talkinghead.evaluation.report import evaluate

__all__ = ["evaluate"]
