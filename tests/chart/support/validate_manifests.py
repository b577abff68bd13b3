"""Holds Kubernetes objects to the strict schemas of several Kubernetes versions.

Reads [{"name", "versions", "text"}] as JSON from stdin, text being a stream of YAML documents, and
prints a JSON list of what is wrong as [{"name", "version", "object", "path", "message"}]. One process
for all, with each schema compiled once: loading the definitions takes most of the time.
"""

import functools
import json
import sys

import jsonschema
import yaml
from kubernetes_validate.utils import schema_contents, all_versions, major_minor
from referencing import Registry, Resource

# Kinds of a custom resource definition, for which Kubernetes ships no schema.
CUSTOM = {"monitoring.coreos.com/v1/PodMonitor"}


@functools.cache
def shipped(version):
    return [v for v in all_versions() if major_minor(v) == version][-1]


@functools.cache
def definitions(version):
    folder = f"kubernetes-json-schema/v{shipped(version)}-local-strict"
    return folder, Resource.from_contents(schema_contents(f"{folder}/_definitions.json", version))


@functools.cache
def validator(version, api_version, kind):
    folder, shared = definitions(version)
    group, _, number = api_version.rpartition("/")
    prefix = f"{group.split('.')[0]}-" if group else ""
    schema = schema_contents(f"{folder}/{kind.lower()}-{prefix}{number}.json", version)
    registry = shared @ (Resource.from_contents(schema) @ Registry())
    return jsonschema.validators.Draft202012Validator(schema, registry=registry)


@functools.cache
def faults(text, version):
    found = []
    for item in yaml.load_all(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        if not item:
            continue
        kind = f"{item['apiVersion']}/{item['kind']}"
        if kind in CUSTOM:
            continue
        name = f"{item['kind']}/{item['metadata']['name']}"
        try:
            errors = validator(version, item["apiVersion"], item["kind"]).iter_errors(item)
            found += [(name, e.json_path, e.message) for e in errors]
        except FileNotFoundError:
            found.append((name, "", f"Kubernetes {version} has no {kind}"))
    return found


json.dump(
    [
        {"name": each["name"], "version": version, "object": name, "path": path, "message": message}
        for each in json.load(sys.stdin)
        for version in each["versions"]
        for name, path, message in faults(each["text"], version)
    ],
    sys.stdout,
)
