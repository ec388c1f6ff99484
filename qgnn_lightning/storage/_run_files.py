"""Names of the files in the directory of a run."""

CONFIG_FILE = "config.yaml"
RESULTS_FILE = "results.json"
EVALUATION_FILE = "evaluation.json"
DIAGNOSTICS_FILE = "diagnostics.jsonl"
