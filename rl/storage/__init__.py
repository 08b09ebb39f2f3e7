"""What a run leaves on the disk, and the small files of it: written whole, read with care."""
