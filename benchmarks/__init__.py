"""What holdfast costs, as ratios measured in one run beside its peers."""
