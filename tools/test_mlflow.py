"""MLflow's own client against our registry. Called by saferl/services/mlflow/mlflow_test.cc, which has pushed three
versions of the model "arm" (digests DIGEST1..3 of different bytes).

  test_mlflow.py PORT DIGEST1 DIGEST2 DIGEST3    prints "ok <number of checks>"; fails with what was wrong
"""
import os
import sys

os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

from mlflow import MlflowClient  # noqa: E402
from mlflow.exceptions import MlflowException  # noqa: E402

checks = 0


def check(holds, what):
    global checks
    checks += 1
    if not holds:
        raise SystemExit(f"wrong: {what}")


def refused(call, code):
    try:
        call()
    except MlflowException as error:
        check(error.error_code == code, f"{error.error_code} where {code} is expected: {error}")
        return
    check(False, f"refused with {code}")


def models(client):
    client.create_registered_model("gripper", tags={"site": "zurich"}, description="two fingers")
    refused(lambda: client.create_registered_model("gripper"), "RESOURCE_ALREADY_EXISTS")
    refused(lambda: client.create_registered_model("../etc"), "INVALID_PARAMETER_VALUE")
    model = client.get_registered_model("gripper")
    check(model.tags == {"site": "zurich"} and model.description == "two fingers", "a model's fields")
    check(model.creation_timestamp > 1.6e12, "milliseconds since 1970")
    client.rename_registered_model("gripper", "hand")
    check(client.update_registered_model("hand", "three fingers").description == "three fingers", "update")
    refused(lambda: client.get_registered_model("gripper"), "RESOURCE_DOES_NOT_EXIST")
    client.set_registered_model_tag("hand", "a key", "a value")
    client.delete_registered_model_tag("hand", "site")
    check(client.get_registered_model("hand").tags == {"a key": "a value"}, "tags of a model")
    check([m.name for m in client.search_registered_models("name LIKE 'h%'")] == ["hand"], "search by name")
    check([m.name for m in client.search_registered_models("tags.`a key` = 'a value'")] == ["hand"], "search by tag")
    check(client.search_registered_models("name = 'none'") == [], "an empty search")
    first = client.search_registered_models(max_results=1, order_by=["name DESC"])
    check([m.name for m in first] == ["hand"] and first.token, "a page and its token")
    second = client.search_registered_models(max_results=1, order_by=["name DESC"], page_token=first.token)
    check([m.name for m in second] == ["arm"], "the next page")
    client.delete_registered_model("hand")
    refused(lambda: client.get_registered_model("hand"), "RESOURCE_DOES_NOT_EXIST")


def versions(client, digests):
    client.create_registered_model("copy")
    made = client.create_model_version("copy", f"sha256:{digests[0]}", run_id="r1", tags={"k": "v"}, description="one",
                                       run_link="https://example.org/r1")
    check(made.version == "1" and made.status == "READY" and made.source == f"sha256:{digests[0]}", "create")
    check(made.tags == {"k": "v"} and made.run_id == "r1" and made.description == "one", "what it was created with")
    check(client.create_model_version("copy", f"sha256:{digests[0]}").version == "1", "same bytes, same version")
    check(client.create_model_version("copy", "models:/arm/2").version == "2", "by another version")
    check(client.copy_model_version("models:/arm/3", "copied").version == "1", "copy_model_version")
    for source in ("/etc/passwd", "file:///etc/passwd", "../../x", "http://127.0.0.1:1/x", "s3://bucket/x",
                   "sha256:../../etc/passwd", "models:/", "models:/arm", "dbfs:/x", "sha256:" + "0" * 63):
        refused(lambda: client.store_create("copy", source), "INVALID_PARAMETER_VALUE")
    refused(lambda: client.store_create("copy", "sha256:" + "0" * 64), "RESOURCE_DOES_NOT_EXIST")
    refused(lambda: client.store_create("none", f"sha256:{digests[0]}"), "RESOURCE_DOES_NOT_EXIST")
    check(client.update_model_version("copy", "1", "first").description == "first", "update a version")
    client.set_model_version_tag("copy", "2", "good", "yes")
    client.delete_model_version_tag("copy", "1", "k")
    check(client.get_model_version("copy", "2").tags == {"good": "yes"}, "tags of a version")
    check(client.get_model_version("copy", "1").tags == {}, "a removed tag")
    check(client.get_model_version_download_uri("copy", "2") == f"sha256:{digests[1]}", "download uri")
    found = client.search_model_versions("name = 'copy' AND tags.good = 'yes'")
    check([v.version for v in found] == ["2"], "search versions by tag")
    check([v.version for v in client.search_model_versions("run_id IN ('r1', 'r2')")] == ["1"], "search by run")
    check({v.name for v in client.search_model_versions(f"source_path = 'sha256:{digests[1]}'")} == {"arm", "copy"},
          "search by bytes")
    ordered = client.search_model_versions("name = 'arm'", order_by=["version_number ASC"], max_results=2)
    check([v.version for v in ordered] == ["1", "2"] and ordered.token, "order and page")
    refused(lambda: client.search_model_versions("name = 'arm' OR 1 = 1"), "INVALID_PARAMETER_VALUE")
    refused(lambda: client.get_model_version("copy", "9"), "RESOURCE_DOES_NOT_EXIST")
    client.delete_model_version("copy", "2")
    refused(lambda: client.get_model_version("copy", "2"), "RESOURCE_DOES_NOT_EXIST")
    check([v.version for v in client.search_model_versions("name = 'copy'")] == ["1"], "a deleted version is not found")


def aliases_and_stages(client):
    client.set_registered_model_alias("arm", "champion", "1")
    check(client.get_model_version_by_alias("arm", "champion").version == "1", "alias")
    client.set_registered_model_alias("arm", "champion", "2")
    check(client.get_model_version_by_alias("arm", "champion").version == "2", "the alias has moved")
    check(client.get_registered_model("arm").aliases == {"champion": "2"}, "aliases of a model")
    check(client.search_registered_models("name = 'arm'")[0].aliases == {"champion": "2"}, "aliases in a search")
    check(client.search_model_versions("name = 'arm' AND version_number = '2'")[0].aliases == ["champion"],
          "aliases of a version in a search")
    client.delete_registered_model_alias("arm", "champion")
    refused(lambda: client.get_model_version_by_alias("arm", "champion"), "RESOURCE_DOES_NOT_EXIST")
    refused(lambda: client.set_registered_model_alias("arm", "x", "99"), "RESOURCE_DOES_NOT_EXIST")
    check(client.transition_model_version_stage("arm", "1", "production").current_stage == "Production", "stage")
    client.transition_model_version_stage("arm", "2", "Production", archive_existing_versions=True)
    check(client.get_model_version("arm", "1").current_stage == "Archived", "the one before is archived")
    check([v.version for v in client.get_latest_versions("arm", ["Production"])] == ["2"], "latest in a stage")
    check({v.version for v in client.get_latest_versions("arm")} == {"1", "2", "3"}, "latest of every stage")
    refused(lambda: client.transition_model_version_stage("arm", "1", "Nowhere"), "INVALID_PARAMETER_VALUE")


class Client(MlflowClient):
    """With the create call as it goes over the wire: the client itself looks into local sources first."""

    def store_create(self, name, source):
        return self._get_registry_client().store.create_model_version(name, source)


def main(port, *digests):
    uri = f"http://127.0.0.1:{port}"
    client = Client(tracking_uri=uri, registry_uri=uri)
    models(client)
    versions(client, digests)
    aliases_and_stages(client)
    print(f"ok {checks}")


if __name__ == "__main__":
    main(*sys.argv[1:])
