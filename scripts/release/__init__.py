"""The release: the package as it is handed out, tried away from the repository, and on other versions."""
