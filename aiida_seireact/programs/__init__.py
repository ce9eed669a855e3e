"""WHAT runs on the compute machine: console scripts reading a job file and writing a result file."""
