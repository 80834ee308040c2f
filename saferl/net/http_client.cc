#include "saferl/net/http_client.h"

#include <curl/curl.h>

#include <algorithm>
#include <cmath>

#include "saferl/base/late_library.h"
#include "saferl/base/text.h"

namespace saferl::net {
namespace {

constexpr size_t kMaxHeaderBytes = 256 << 10;

/// Loaded with the first request: it brings thirty other libraries along.
struct CurlLibrary final : LateLibrary {
  CurlLibrary()
      : LateLibrary({"libcurl.so.4", "a request to S3, a webhook or a collector", "libcurl4"}) {
    if (status().ok()) curl_global_init(CURL_GLOBAL_DEFAULT);
  }
  SAFERL_LATE(curl_easy_cleanup);
  SAFERL_LATE(curl_easy_getinfo);
  SAFERL_LATE(curl_easy_init);
  SAFERL_LATE(curl_easy_perform);
  SAFERL_LATE(curl_easy_reset);
  SAFERL_LATE(curl_easy_setopt);
  SAFERL_LATE(curl_easy_strerror);
  SAFERL_LATE(curl_global_init);
  SAFERL_LATE(curl_slist_append);
  SAFERL_LATE(curl_slist_free_all);
};

const CurlLibrary& Libcurl() {
  static const CurlLibrary library;
  return library;
}

using List = std::unique_ptr<curl_slist, void (*)(curl_slist*)>;

/// What libcurl writes into during one transfer.
struct Transfer {
  ClientResponse response;
  size_t max_body_bytes = 0, header_bytes = 0;
  bool too_large = false;
};

size_t OnBody(char* data, size_t, size_t size, void* user) {
  auto* transfer = static_cast<Transfer*>(user);
  if (transfer->response.body.size() + size > transfer->max_body_bytes) {
    transfer->too_large = true;
    return 0;
  }
  transfer->response.body.append(data, size);
  return size;
}

size_t OnHeader(char* data, size_t, size_t size, void* user) {
  auto* transfer = static_cast<Transfer*>(user);
  std::string_view line(data, size);
  transfer->header_bytes += size;
  if (transfer->header_bytes > kMaxHeaderBytes) {
    transfer->too_large = true;
    return 0;
  }
  if (line.starts_with("HTTP/")) {  // of the last response: 100 Continue comes first
    transfer->response.headers.Clear();
    return size;
  }
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) return size;
  std::string_view value = line.substr(colon + 1);
  while (!value.empty() && (value.front() == ' ' || value.front() == '\t')) value.remove_prefix(1);
  while (!value.empty() && std::string_view(" \t\r\n").contains(value.back())) {
    value.remove_suffix(1);
  }
  transfer->response.headers.Add(std::string(line.substr(0, colon)), std::string(value));
  return size;
}

Status ToStatus(CURLcode code, const std::string& url, std::string_view text,
                const Transfer& transfer) {
  if (transfer.too_large) {
    return absl::ResourceExhaustedError(
        Cat(url, ": the answer is larger than ", transfer.max_body_bytes, " bytes"));
  }
  const std::string problem =
      Cat(url, ": ", text.empty() ? std::string_view(Libcurl().curl_easy_strerror(code)) : text);
  switch (code) {
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
      return absl::InvalidArgumentError(problem);
    case CURLE_OPERATION_TIMEDOUT:
      return absl::DeadlineExceededError(problem);
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
      return absl::FailedPreconditionError(problem);
    case CURLE_OUT_OF_MEMORY:
      return absl::ResourceExhaustedError(problem);
    default:
      return absl::UnavailableError(problem);
  }
}

bool Append(List* list, const std::string& line) {
  curl_slist* longer = Libcurl().curl_slist_append(list->get(), line.c_str());
  if (longer == nullptr) return false;
  (void)list->release();
  list->reset(longer);
  return true;
}

}  // namespace

struct HttpClient::Impl {
  ClientOptions options;
  CURL* curl = nullptr;
  char error[CURL_ERROR_SIZE] = "";

  void SetCommon();
  void SetMethod(const ClientRequest& request);
};

HttpClient::HttpClient(ClientOptions options) : impl_(std::make_unique<Impl>()) {
  impl_->options = std::move(options);
}

HttpClient::~HttpClient() {
  if (impl_->curl != nullptr) Libcurl().curl_easy_cleanup(impl_->curl);
}

Status HttpClient::Available() { return Libcurl().status(); }

/// Settings of every request; curl_easy_reset keeps connections, sessions and the DNS cache.
void HttpClient::Impl::SetCommon() {
  Libcurl().curl_easy_reset(curl);
  const auto set_text = [&](CURLoption option, const std::string& text) {
    if (!text.empty()) Libcurl().curl_easy_setopt(curl, option, text.c_str());
  };
  Libcurl().curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error);
  Libcurl().curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  Libcurl().curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
  Libcurl().curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  Libcurl().curl_easy_setopt(curl, CURLOPT_PROXY,
                             options.proxy.c_str());  // "" overrules the environment
  Libcurl().curl_easy_setopt(curl, CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
  Libcurl().curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  Libcurl().curl_easy_setopt(curl, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  Libcurl().curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L);
  Libcurl().curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L);
  Libcurl().curl_easy_setopt(curl, CURLOPT_TCP_NODELAY, 1L);
  Libcurl().curl_easy_setopt(curl, CURLOPT_MAXCONNECTS, 8L);
  set_text(CURLOPT_CAINFO, options.ca_file);
  set_text(CURLOPT_SSLCERT, options.cert_file);
  set_text(CURLOPT_SSLKEY, options.key_file);
  Libcurl().curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, OnBody);
  Libcurl().curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, OnHeader);
}

void HttpClient::Impl::SetMethod(const ClientRequest& request) {
  const bool bodiless = request.body.empty() &&
                        (request.method == Method::kGet || request.method == Method::kHead ||
                         request.method == Method::kDelete || request.method == Method::kOptions);
  if (request.method == Method::kHead) {
    Libcurl().curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
    return;
  }
  if (!bodiless) {
    Libcurl().curl_easy_setopt(curl, CURLOPT_POST, 1L);
    Libcurl().curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request.body.c_str());
    Libcurl().curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE,
                               static_cast<curl_off_t>(request.body.size()));
  }
  Libcurl().curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST,
                             std::string(Name(request.method)).c_str());
}

StatusOr<ClientResponse> HttpClient::Send(const ClientRequest& request) {
  if (request.method >= Method::kCount) return absl::InvalidArgumentError("method: unknown");
  SAFERL_RETURN_IF_ERROR(Available());
  if (impl_->curl == nullptr) impl_->curl = Libcurl().curl_easy_init();
  CURL* curl = impl_->curl;
  if (curl == nullptr) return absl::ResourceExhaustedError("no memory for an HTTP client");
  impl_->SetCommon();
  impl_->SetMethod(request);
  Transfer transfer;
  transfer.max_body_bytes = impl_->options.max_body_bytes;
  List list(nullptr, Libcurl().curl_slist_free_all);
  bool typed = false;
  for (const auto& [name, value] : request.headers.all()) {
    if ((name + value).find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos) {
      return absl::InvalidArgumentError(Cat("header ", name, ": it has a line break; remove it"));
    }
    typed = typed || EqualIgnoringCase(name, "Content-Type");
    // libcurl spells a header without value with a semicolon.
    if (!Append(&list, value.empty() ? Cat(name, ";") : Cat(name, ": ", value))) {
      return absl::ResourceExhaustedError("no memory for headers");
    }
  }
  // Without these libcurl would add a form's type and wait for 100 Continue.
  if (!Append(&list, "Expect:") || (!typed && !Append(&list, "Content-Type:"))) {
    return absl::ResourceExhaustedError("no memory for headers");
  }
  const double timeout_s = request.timeout_s > 0 ? request.timeout_s : impl_->options.timeout_s;
  const double connect_s = std::min(impl_->options.connect_timeout_s, timeout_s);
  Libcurl().curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(timeout_s * 1000));
  Libcurl().curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(connect_s * 1000));
  if (impl_->options.silence_s > 0) {
    Libcurl().curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    Libcurl().curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME,
                               static_cast<long>(std::ceil(impl_->options.silence_s)));
  }
  Libcurl().curl_easy_setopt(curl, CURLOPT_URL, request.url.c_str());
  Libcurl().curl_easy_setopt(curl, CURLOPT_HTTPHEADER, list.get());
  Libcurl().curl_easy_setopt(curl, CURLOPT_WRITEDATA, &transfer);
  Libcurl().curl_easy_setopt(curl, CURLOPT_HEADERDATA, &transfer);
  impl_->error[0] = '\0';
  const CURLcode code = Libcurl().curl_easy_perform(curl);
  Libcurl().curl_easy_setopt(curl, CURLOPT_HTTPHEADER, nullptr);
  if (code != CURLE_OK) return ToStatus(code, request.url, impl_->error, transfer);
  long status = 0;  // NOLINT(google-runtime-int): libcurl's type
  Libcurl().curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  transfer.response.status = static_cast<int>(status);
  return std::move(transfer.response);
}

}  // namespace saferl::net
