"""The door for what people write: `glideslope.yaml`, read into a draft with a position for everything that is wrong."""
