#include "saferl/storage/s3_client.h"

#include <time.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "saferl/base/hash.h"
#include "saferl/base/random.h"
#include "saferl/base/text.h"
#include "saferl/net/target.h"
#include "saferl/storage/s3_xml.h"

namespace saferl::storage {
namespace {

constexpr double kFirstWaitS = 0.1, kMostWaitS = 2;
constexpr size_t kMaxXmlBytes = 16 << 20;

Status Bad(std::string_view field, std::string_view problem) {
  return absl::InvalidArgumentError(Cat("objects ", field, ": ", problem));
}

void Sleep(double seconds) {
  const auto whole = static_cast<time_t>(seconds);
  timespec left{whole, static_cast<long>((seconds - static_cast<double>(whole)) * 1e9)};
  while (::nanosleep(&left, &left) != 0) {
  }
}

/// Worth another try: the server is overloaded, restarting, or what arrived was not what we sent.
bool Passing(int status, std::string_view code) {
  return status == 429 || status >= 500 || status == 408 || code == "RequestTimeout" ||
         code == "OperationAborted" || code == "XAmzContentSHA256Mismatch" || code == "BadDigest" ||
         code == "IncompleteBody";
}

/// "bucket" and "a/b/" of "s3://bucket/a/b".
Status ParseUrl(std::string_view url, std::string* bucket, std::string* prefix) {
  constexpr std::string_view kHead = "s3://";
  url.remove_prefix(kHead.size());
  const size_t slash = std::min(url.find('/'), url.size());
  *bucket = url.substr(0, slash);
  const bool named =
      bucket->size() >= 3 && bucket->size() <= 63 && std::ranges::all_of(*bucket, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
      });
  if (!named || bucket->front() == '.' || bucket->back() == '.' ||
      bucket->find("..") != std::string::npos) {
    return Bad("url", "no bucket name; give s3://BUCKET/PREFIX");
  }
  std::string_view path = url.substr(slash);
  while (path.ends_with('/')) path.remove_suffix(1);
  prefix->clear();
  while (!path.empty()) {
    path.remove_prefix(1);
    const std::string_view segment = path.substr(0, path.find('/'));
    if (segment.empty() || segment == "." || segment == "..") {
      return Bad("url", "a prefix with an empty, '.' or '..' part; give s3://BUCKET/PREFIX");
    }
    *prefix += Cat(segment, "/");
    path.remove_prefix(segment.size());
  }
  return absl::OkStatus();
}

/// Origin and Host header of "http://host[:port]"; the scheme's own port is not said.
Status ParseEndpoint(std::string_view endpoint, std::string* origin, std::string* host) {
  const bool tls = endpoint.starts_with("https://");
  if (!tls && !endpoint.starts_with("http://")) {
    return Bad("endpoint", "neither http:// nor https://; give https://HOST:PORT");
  }
  std::string_view rest = endpoint.substr(endpoint.find("//") + 2);
  while (rest.ends_with('/')) rest.remove_suffix(1);
  if (rest.empty() || rest.find_first_of("/?#@ \t\r\n") != std::string_view::npos) {
    return Bad("endpoint", "more or less than a host and a port; give https://HOST:PORT");
  }
  const std::string_view port = tls ? ":443" : ":80";
  if (rest.ends_with(port)) rest.remove_suffix(port.size());
  *host = rest;
  *origin = Cat(tls ? "https://" : "http://", rest);
  return absl::OkStatus();
}

}  // namespace

StatusOr<std::unique_ptr<S3Client>> S3Client::Create(const ObjectsOptions& options) {
  std::unique_ptr<S3Client> client(new S3Client);
  client->options_ = options;
  SAFERL_RETURN_IF_ERROR(ParseUrl(options.url, &client->bucket_, &client->prefix_));
  if (options.region.empty()) return Bad("region", "empty; give one, such as us-east-1");
  if (options.access_key_id.empty()) return Bad("access_key_id", "empty; give the S3 key's id");
  if (options.secret_access_key.empty()) return Bad("secret_access_key", "empty; give the secret");
  if (options.part_bytes < 5 << 20) return Bad("part_bytes", "below S3's least, 5242880");
  if (!(options.timeout_s > 0) || !(options.silence_s > 0) || !(options.patience_s >= 0)) {
    return Bad("timeout_s, silence_s, patience_s", "not positive; give seconds");
  }
  const std::string endpoint = options.endpoint.empty()
                                   ? Cat("https://s3.", options.region, ".amazonaws.com")
                                   : options.endpoint;
  SAFERL_RETURN_IF_ERROR(ParseEndpoint(endpoint, &client->origin_, &client->host_));
  SAFERL_RETURN_IF_ERROR(net::HttpClient::Available());
  return client;
}

StatusOr<net::ClientResponse> S3Client::Send(const Request& request) {
  const bool was_open = breaker_.open();
  if (!breaker_.Allow(Nanos())) {
    const std::lock_guard<std::mutex> lock(mutex_);
    return last_failure_;
  }
  // A probe of a server that was away is one attempt.
  const Deadline patience = Deadline::After(was_open ? 0 : FromSeconds(options_.patience_s));
  StatusOr<net::ClientResponse> response = SendUntil(request, patience);
  if (!absl::IsUnavailable(response.status())) {
    breaker_.Worked();
    return response;
  }
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    last_failure_ = response.status();
  }
  breaker_.Failed(Nanos());
  return response;
}

/// Attempts until one is final; none begins after `patience`.
StatusOr<net::ClientResponse> S3Client::SendUntil(const Request& request,
                                                  const Deadline& patience) {
  const std::string sha256 = request.sha256.empty() ? Sha256Hex(request.body) : request.sha256;
  Random random(static_cast<uint64_t>(Nanos()));
  double wait_s = kFirstWaitS;
  while (true) {
    StatusOr<net::ClientResponse> response = SendOnce(request, sha256);
    const double pause_s = wait_s * random.Uniform(0.5, 1.0);
    const bool again =
        absl::IsUnavailable(response.status()) && !patience.Passed(Nanos() + FromSeconds(pause_s));
    if (!again) return response;
    Sleep(pause_s);
    wait_s = std::min(2 * wait_s, kMostWaitS);
  }
}

StatusOr<net::ClientResponse> S3Client::SendOnce(const Request& request,
                                                 const std::string& sha256) {
  const std::string amz_date = AmzDate(WallNanos());
  SigV4Request sign{
      .method = std::string(net::Name(request.method)),
      .path = request.on_bucket ? Cat("/", bucket_) : Cat("/", bucket_, "/", prefix_, request.key),
      .query = request.query};
  sign.payload_sha256 = sha256;
  sign.headers = {{"host", host_}, {"x-amz-content-sha256", sha256}, {"x-amz-date", amz_date}};
  if (!options_.session_token.empty()) {
    sign.headers.emplace_back("x-amz-security-token", options_.session_token);
  }
  net::ClientRequest http{.method = request.method, .body = request.body};
  http.url = origin_ + net::PercentEncode(sign.path, "/");
  if (!request.query.empty()) http.url += Cat("?", CanonicalQuery(request.query));
  for (const auto& [name, value] : sign.headers) {
    if (name != "host") http.headers.Add(name, value);  // the client says it itself, the same
  }
  http.headers.Add(
      "Authorization",
      SigV4Authorization({options_.access_key_id, options_.secret_access_key, options_.region},
                         sign, amz_date));

  std::unique_ptr<net::HttpClient> client;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!idle_.empty()) {
      client = std::move(idle_.back());
      idle_.pop_back();
    }
  }
  if (client == nullptr) {
    net::ClientOptions options;
    options.timeout_s = options_.timeout_s;
    options.silence_s = options_.silence_s;
    options.connect_timeout_s = std::min(options.connect_timeout_s, options_.timeout_s);
    options.max_body_bytes = std::max<size_t>(options_.max_bytes, kMaxXmlBytes);
    options.ca_file = options_.ca_file;
    client = std::make_unique<net::HttpClient>(options);
  }
  StatusOr<net::ClientResponse> response = client->Send(http);
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (idle_.size() < 16) idle_.push_back(std::move(client));
  }
  if (absl::IsDeadlineExceeded(response.status())) {
    return absl::UnavailableError(Cat("s3: ", response.status().message()));
  }
  if (!response.ok()) return response.status();
  SAFERL_RETURN_IF_ERROR(ToStatus(request, *response));
  return response;
}

Status S3Client::ToStatus(const Request& request, const net::ClientResponse& response) const {
  if (response.status >= 200 && response.status < 300) return absl::OkStatus();
  std::string code, text;
  if (const StatusOr<XmlElement> error = ParseXml(response.body); error.ok()) {
    code = error->Text("Code").substr(0, 100);
    text = error->Text("Message").substr(0, 300);
  }
  const std::string message = Cat("s3: ", net::Name(request.method), " ", bucket_, "/",
                                  request.on_bucket ? std::string() : prefix_ + request.key, ": ",
                                  response.status, " ", code, code.empty() ? "" : " ", text);
  if (Passing(response.status, code)) return absl::UnavailableError(message);
  if (code == "QuotaExceeded") return absl::ResourceExhaustedError(Cat(message, "; free some"));
  if (code == "NoSuchBucket") {
    return absl::FailedPreconditionError(Cat(message, "; create the bucket"));
  }
  if (response.status == 404) return absl::NotFoundError(message);
  if (response.status == 401 || response.status == 403) {
    return absl::PermissionDeniedError(
        Cat(message, "; check access_key_id, its secret, its rights and this machine's clock"));
  }
  if (response.status / 100 == 3 || code == "AuthorizationHeaderMalformed") {
    return absl::FailedPreconditionError(Cat(message, "; check region and endpoint"));
  }
  return absl::InternalError(message);
}

}  // namespace saferl::storage
