"""The load benchmark's parts; bench/load/run is the command."""
