"""Draw and shrink PPM images in plain Python: real CPU work without an image library."""

import random

SIDE = 96


def draw(seed):
    pixels = random.Random(seed).randbytes(SIDE * SIDE * 3)
    return b"P6 %d %d 255\n" % (SIDE, SIDE) + pixels


def shrink(image, factor=4):
    header, pixels = image.split(b"\n", 1)
    side = int(header.split()[1])
    small = bytearray()
    for top in range(0, side, factor):
        for left in range(0, side, factor):
            for channel in range(3):
                total = sum(
                    pixels[((top + y) * side + left + x) * 3 + channel]
                    for y in range(factor)
                    for x in range(factor)
                )
                small.append(total // factor**2)
    return b"P6 %d %d 255\n" % (side // factor, side // factor) + bytes(small)
