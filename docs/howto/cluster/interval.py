"""verdi run cluster/interval.py: how often AiiDA asks the queue of the cluster, which has no place in the YAML."""

from aiida.orm import load_computer

# Seconds. It asks once for all jobs of a computer; jobs that take hours need no more.
load_computer("cluster-h100").set_minimum_job_poll_interval(60)
