"""Evaluates a Tiltfile as Starlark and prints, as JSON, what it declares.

Usage: tiltfile.py FILE [NAME=VALUE ...], with the settings that would follow `tilt up --`.

Tilt itself cannot be had from a package registry, so its functions are stubs here: they have the
parameters of the real ones (https://docs.tilt.dev/api.html), refuse any other, and note the call.
"""

import json
import sys

import starlark

declared = {
    "contexts": [],
    "settings": [],
    "manifests": [],
    "charts": [],
    "kinds": [],
    "local": {},
    "resources": {},
}


def allow_k8s_contexts(contexts):
    declared["contexts"] += contexts if isinstance(contexts, list) else [contexts]


def local_resource(
    name, cmd="", deps=(), trigger_mode="auto", ignore=(), auto_init=True, resource_deps=(),
    serve_cmd="", labels=(), allow_parallel=False, links=(), env=None, dir="",
):
    if name in declared["local"] or not (cmd or serve_cmd):
        raise ValueError(f"local_resource {name}: named twice, or does nothing")
    declared["local"][name] = {
        "cmd": cmd,
        "deps": list(deps),
        "manual": trigger_mode == "manual",
        "auto_init": auto_init,
        "resource_deps": list(resource_deps),
        "labels": list(labels),
    }


def k8s_yaml(yaml, allow_duplicates=False):
    declared["manifests"] += yaml if isinstance(yaml, list) else [yaml]


def helm(paths, name="", namespace="", values=(), set=(), kube_version="", skip_crds=False):
    chart = {"path": paths, "name": name, "namespace": namespace, "set": list(set)}
    declared["charts"].append(chart)
    return f"chart:{paths}"


def k8s_kind(kind, api_version="", image_json_path=(), pod_readiness=""):
    declared["kinds"].append({"kind": kind, "api_version": api_version})


def k8s_resource(
    workload="", new_name="", port_forwards=(), extra_pod_selectors=(), trigger_mode="auto",
    resource_deps=(), objects=(), auto_init=True, pod_readiness="", links=(), labels=(),
):
    if workload in declared["resources"]:
        raise ValueError(f"k8s_resource {workload}: named twice")
    declared["resources"][workload] = {
        "port_forwards": list(port_forwards),
        "pod_selectors": list(extra_pod_selectors),
        "resource_deps": list(resource_deps),
        "labels": list(labels),
    }


def port_forward(local_port, container_port=None, name="", link_path="", host=""):
    return {"local": local_port, "container": container_port or local_port, "name": name}


def link(url, name=""):
    return {"url": url, "name": name}


def define_bool(name, args=False, usage=""):
    declared["settings"].append(name)


def define_string(name, args=False, usage=""):
    declared["settings"].append(name)


def parse():
    given = dict(setting.split("=", 1) for setting in sys.argv[2:])
    unknown = set(given) - set(declared["settings"])
    if unknown:
        raise ValueError(f"settings that are not defined: {unknown}")
    return {name: value == "true" if value in ("true", "false") else value
            for name, value in given.items()}


# What the stubs are in the Tiltfile.
PRELUDE = """
config = struct(define_bool = _define_bool, define_string = _define_string, parse = _parse)
TRIGGER_MODE_AUTO = "auto"
TRIGGER_MODE_MANUAL = "manual"
"""


def main():
    file = sys.argv[1]
    module = starlark.Module()
    for stub in [allow_k8s_contexts, local_resource, k8s_yaml, helm, k8s_kind, k8s_resource,
                 port_forward, link]:
        module.add_callable(stub.__name__, stub)
    for stub in [define_bool, define_string, parse]:
        module.add_callable("_" + stub.__name__, stub)
    dialect = starlark.Dialect.extended()
    # As in Tilt: `if` and `for` also outside of functions.
    dialect.enable_top_level_stmt = True
    names = starlark.Globals.extended_by([starlark.LibraryExtension.StructType])
    starlark.eval(module, starlark.parse("prelude", PRELUDE, dialect), names)
    with open(file, encoding="utf-8") as text:
        starlark.eval(module, starlark.parse(file, text.read(), dialect), names)
    json.dump(declared, sys.stdout)


main()
