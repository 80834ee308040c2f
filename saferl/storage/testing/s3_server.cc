#include "saferl/storage/testing/s3_server.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <utility>

#include "saferl/base/clock.h"
#include "saferl/base/file.h"
#include "saferl/base/hash.h"
#include "saferl/base/text.h"
#include "saferl/storage/s3_client.h"

namespace saferl::storage::testing {
namespace {

/// One copy, one placement group a pool, nothing that runs in the background. cephx stays on:
/// without it radosgw hangs. tcp_nodelay: without it every answer waits 40 ms. The daemons' own
/// ports lie above those of FreePort. After a kill the gateway's notices wait for the dead one: not
/// for long.
constexpr const char* kConfig = R"([global]
fsid = 11111111-2222-3333-4444-555555555555
mon host = v1:127.0.0.1:@MONITOR@/0
public addr = 127.0.0.1
ms bind msgr2 = false
ms bind port min = 32000
ms bind port max = 32767
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
keyring = @FOLDER@/keyring
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
osd objectstore = memstore
memstore device bytes = 2147483648
mon allow pool size one = true
mon max pg per osd = 4000
mon data avail warn = 1
mon data avail crit = 0
paxos propose interval = 0.05
paxos min wait = 0.01
mgr initial modules =
mon data = @FOLDER@/mon
mgr data = @FOLDER@/mgr
osd data = @FOLDER@/osd
rgw data = @FOLDER@/rgw
run dir = @FOLDER@/run
admin socket = @FOLDER@/run/$name.asok
pid file =
log file = @FOLDER@/$name.log
log to stderr = false
err to stderr = true
debug default = 0/0
client notify timeout = 1
rgw max notify retries = 1
rgw enable usage log = false
rgw run sync thread = false
rgw enable gc threads = false
rgw enable lc threads = false
rgw enable quota threads = false
rgw frontends = beast endpoint=127.0.0.1:@PORT@ ssl_endpoint=127.0.0.1:@TLS_PORT@ ssl_certificate=@CERT@ ssl_private_key=@KEY@ tcp_nodelay=1
)";
constexpr const char* kCluster = "11111111-2222-3333-4444-555555555555";
constexpr const char* kDisk = "22222222-2222-3333-4444-555555555555";
constexpr const char* kKeyId = "TESTKEY";

}  // namespace

std::vector<std::string> S3Server::Command(const std::string& program,
                                           const std::vector<std::string>& arguments) const {
  std::vector<std::string> command = {Cat("/usr/bin/", program), "-c",
                                      Cat(directory_.path(), "/ceph.conf")};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return command;
}

Status S3Server::WriteConfig() {
  const std::string& folder = directory_.path();
  for (const char* name : {"mon", "mgr", "osd", "rgw", "run"}) {
    std::filesystem::create_directory(Cat(folder, "/", name));
  }
  std::string config = kConfig;
  const std::pair<std::string_view, std::string> values[] = {{"@FOLDER@", folder},
                                                             {"@MONITOR@", Cat(monitor_port_)},
                                                             {"@PORT@", Cat(port_)},
                                                             {"@TLS_PORT@", Cat(tls_port_)},
                                                             {"@CERT@", certificates_.server_cert},
                                                             {"@KEY@", certificates_.server_key}};
  for (const auto& [name, value] : values) {
    for (size_t at = config.find(name); at != std::string::npos; at = config.find(name, at)) {
      config.replace(at, name.size(), value);
    }
  }
  return WriteFileAtomic(Cat(folder, "/ceph.conf"), config);
}

Status S3Server::StartCluster() {
  const std::string& folder = directory_.path();
  const std::string keyring = Cat(folder, "/keyring");
  const ChildOptions log{.log = Cat(folder, "/log")};
  const std::string key_file = Cat(folder, "/key"), map = Cat(folder, "/monmap");
  SAFERL_RETURN_IF_ERROR(
      RunChild({"/usr/bin/ceph-authtool", "--gen-print-key"}, {.log = key_file}));
  SAFERL_ASSIGN_OR_RETURN(const std::string key, ReadFile(key_file));
  std::string keys;
  for (const char* who : {"mon.", "client.admin", "mgr.x", "osd.0", "client.rgw"}) {
    keys += Cat("[", who, "]\nkey = ", key, "caps mon = \"allow *\"\ncaps osd = \"allow *\"\n",
                "caps mgr = \"allow *\"\n");
  }
  SAFERL_RETURN_IF_ERROR(WriteFileAtomic(keyring, keys));
  SAFERL_RETURN_IF_ERROR(RunChild({"/usr/bin/monmaptool", "--create", "--fsid", kCluster, "--addv",
                                   "a", Cat("[v1:127.0.0.1:", monitor_port_, "/0]"), map},
                                  log));
  SAFERL_RETURN_IF_ERROR(RunChild(
      Command("ceph-mon", {"-i", "a", "--mkfs", "--monmap", map, "--keyring", keyring}), log));
  const auto start = [&](std::vector<std::string> command) -> Status {
    SAFERL_ASSIGN_OR_RETURN(std::unique_ptr<Process> process, Process::Start(command, log));
    cluster_.push_back(std::move(process));
    return absl::OkStatus();
  };
  SAFERL_RETURN_IF_ERROR(start(Command("ceph-mon", {"-i", "a", "-f"})));
  SAFERL_RETURN_IF_ERROR(
      RunChild(Command("ceph", {"--connect-timeout", "60", "osd", "new", kDisk, "0"}), log));
  SAFERL_RETURN_IF_ERROR(start(Command("ceph-mgr", {"-i", "x", "-f"})));
  SAFERL_RETURN_IF_ERROR(
      RunChild(Command("ceph-osd", {"-i", "0", "--mkfs", "--osd-uuid", kDisk}), log));
  SAFERL_RETURN_IF_ERROR(start(Command("ceph-osd", {"-i", "0", "-f"})));
  SAFERL_RETURN_IF_ERROR(Restart());
  return RunChild(
      Command("radosgw-admin",
              {"-n", "client.admin", "user", "create", "--uid=test", "--display-name=test",
               "--max-buckets=0", Cat("--access-key=", kKeyId), Cat("--secret-key=", secret_)}),
      log);
}

Status S3Server::Restart() {
  gateway_.reset();
  const std::string log = Cat(directory_.path(), "/log");
  SAFERL_ASSIGN_OR_RETURN(
      gateway_, Process::Start(Command("radosgw", {"-n", "client.rgw", "-f"}), {.log = log}));
  const Deadline patience = Deadline::After(120 * kNanosPerSecond);
  net::HttpClient http;
  while (gateway_->running() && !patience.Passed()) {
    if (http.Send({.url = Cat("http://127.0.0.1:", port_, "/")}).ok()) return absl::OkStatus();
  }
  return absl::InternalError(Cat("radosgw did not start: ", ReadFile(log).value_or("")));
}

StatusOr<std::unique_ptr<S3Server>> S3Server::Start() {
  std::unique_ptr<S3Server> server(new S3Server);
  SAFERL_ASSIGN_OR_RETURN(server->certificates_, Certificates::Make(server->directory_.path()));
  SAFERL_ASSIGN_OR_RETURN(server->monitor_port_, FreePort());
  SAFERL_ASSIGN_OR_RETURN(server->port_, FreePort());
  SAFERL_ASSIGN_OR_RETURN(server->tls_port_, FreePort());
  server->secret_ = Sha256Hex(Cat(Nanos())).substr(0, 40);
  SAFERL_RETURN_IF_ERROR(server->WriteConfig());
  SAFERL_RETURN_IF_ERROR(server->StartCluster());
  return server;
}

S3Server& S3Server::Shared() {
  static const std::unique_ptr<S3Server> server = [] {
    StatusOr<std::unique_ptr<S3Server>> started = Start();
    if (!started.ok()) {
      std::fprintf(stderr, "S3 server (tools/install_deps test): %s\n",
                   started.status().ToString().c_str());
      std::abort();
    }
    return *std::move(started);
  }();
  return *server;
}

ObjectsOptions S3Server::NewBucket(bool tls) {
  const std::string bucket = Cat("bucket-", ++buckets_);
  ObjectsOptions options{.url = Cat("s3://", bucket, "/models/of robots")};
  options.endpoint = tls ? Cat("https://127.0.0.1:", tls_port_) : Cat("http://127.0.0.1:", port_);
  if (tls) options.ca_file = certificates_.ca;
  options.access_key_id = kKeyId;
  options.secret_access_key = secret_;
  const StatusOr<std::unique_ptr<S3Client>> client = S3Client::Create(options);
  const Status made =
      client.ok() ? (*client)->Send({.method = net::Method::kPut, .on_bucket = true}).status()
                  : client.status();
  if (!made.ok()) {
    std::fprintf(stderr, "S3 bucket: %s\n", made.ToString().c_str());
    std::abort();
  }
  return options;
}

}  // namespace saferl::storage::testing
