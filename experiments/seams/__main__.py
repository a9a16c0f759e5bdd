"""Run the study: `python -m experiments.seams`."""

from experiments.seams.program import main

if __name__ == "__main__":
    main()
