"""`python -m tiltyard.cli` is `tiltyard`."""

from tiltyard.cli.app import main

if __name__ == "__main__":
    main()
