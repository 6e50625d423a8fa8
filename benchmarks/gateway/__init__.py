"""holdfast beside a bare proxy on the same stack and beside other gateways, through one light upstream, in one run."""
