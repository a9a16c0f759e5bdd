"""Run the study: `python -m experiments.finetuning`."""

from experiments.finetuning.program import main

if __name__ == "__main__":
    main()
