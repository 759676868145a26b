"""Research archives of talking faces -> one prepared data set: names, archives, preparation, splits, and how a clip is read."""
