"""What a release consists of, and what is known against its dependencies: `make dist` and `make audit`. No part of the package."""
