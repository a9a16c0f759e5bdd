"""Run the study: `python -m experiments.surrogate`."""

from experiments.surrogate.program import main

if __name__ == "__main__":
    main()
