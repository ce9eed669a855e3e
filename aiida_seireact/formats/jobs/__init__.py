"""The schemas of every program's job and result file, one module a program."""
