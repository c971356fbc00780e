"""What comparisons with moto print."""


def check(name, expected, actual, whose="boto3"):
    """Says whether both are the same; the number of faults."""
    if actual == expected:
        print(f"ok    {name}")
        return 0
    print(f"FAIL  {name}\n      {whose:<9}{expected}\n      advisor  {actual}")
    return 1
