"""Charts: each is built once and then changed in place, so that a choice redraws without a new figure."""
