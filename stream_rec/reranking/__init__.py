"""From a ranking to the list that is shown: diverse, calibrated, exploring, with room for fresh items."""
