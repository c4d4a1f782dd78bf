"""`fernn equivalent`: whether today's code makes the results that other code made, byte for byte.

Digests of code see every edit. Most edits change no result, and training again costs days. So both codes run the same
small trainings, evaluations, tables and figures, the probe; where all bytes agree, the results of one are those of the
other. `probe.yaml` holds what is run, `driver` runs it with one code, and `command` compares.
"""
