"""Run the study: `python -m experiments.error_maps`."""

from experiments.error_maps.program import main

if __name__ == "__main__":
    main()
