"""The model of late arrivals, on the flights from New York in 2013."""
