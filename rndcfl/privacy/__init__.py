"""What predictors and reports give away, and how to promise that they do not."""
