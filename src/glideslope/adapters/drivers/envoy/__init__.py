"""Makes a real Envoy carry the traffic: its shape through files, the exposure through leases that end by themselves."""
