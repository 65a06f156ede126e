"""What all lab tasks share: data, models, training runs and figures."""
