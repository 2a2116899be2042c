"""The machine and the process: devices, paths, files on disk, the parent process."""
