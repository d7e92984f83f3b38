-- Views around the feeds, written by hand and edited in place: views only, so applied again when changed.

