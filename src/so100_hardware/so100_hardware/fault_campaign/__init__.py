"""What a driver does when its bus goes wrong, counted: `python -m so100_hardware.fault_campaign`."""
