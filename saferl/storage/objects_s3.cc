#include "saferl/storage/objects_s3.h"

#include <charconv>
#include <string>
#include <utility>
#include <vector>

#include "saferl/base/hash.h"
#include "saferl/base/text.h"
#include "saferl/storage/s3_client.h"
#include "saferl/storage/s3_xml.h"

namespace saferl::storage {
namespace {

using net::Method;

/// What Check writes; no digest, so that List does not show it.
constexpr const char* kProbe = "check";

Status BadDigest(std::string_view sha256) {
  return absl::InvalidArgumentError(
      Cat("object '", sha256.substr(0, 80), "': no digest; give 64 lower-case hex digits"));
}

class S3Objects final : public Objects {
 public:
  S3Objects(const ObjectsOptions& options, std::unique_ptr<S3Client> client)
      : max_bytes_(options.max_bytes),
        part_bytes_(options.part_bytes),
        client_(std::move(client)) {}

  StatusOr<std::string> Put(std::string_view bytes) override;
  StatusOr<std::string> Get(std::string_view sha256) override;
  StatusOr<bool> Has(std::string_view sha256) override;
  Status Delete(std::string_view sha256) override;
  Status List(const std::function<void(std::string_view, uint64_t)>& each) override;
  Status Check() override;
  std::string_view kind() const override { return "s3"; }

 private:
  StatusOr<bool> HasSize(const std::string& sha256, uint64_t size);
  Status PutParts(const std::string& sha256, std::string_view bytes);
  Status UploadParts(const std::string& sha256, const std::string& upload_id,
                     std::string_view bytes);

  const uint64_t max_bytes_, part_bytes_;
  const std::unique_ptr<S3Client> client_;
};

/// There, and as long as it should be.
StatusOr<bool> S3Objects::HasSize(const std::string& sha256, uint64_t size) {
  const StatusOr<net::ClientResponse> head =
      client_->Send({.method = Method::kHead, .key = sha256});
  if (absl::IsNotFound(head.status())) return false;
  if (!head.ok()) return head.status();
  const std::string* length = head->headers.Find("Content-Length");
  return length != nullptr && *length == Cat(size);
}

StatusOr<std::string> S3Objects::Put(std::string_view bytes) {
  if (bytes.size() > max_bytes_) {
    return absl::InvalidArgumentError(
        Cat("object of ", bytes.size(), " bytes: more than max_bytes ", max_bytes_, "; split it"));
  }
  std::string sha256 = Sha256Hex(bytes);
  SAFERL_ASSIGN_OR_RETURN(const bool there, HasSize(sha256, bytes.size()));
  if (there) return sha256;
  if (bytes.size() > part_bytes_) {
    SAFERL_RETURN_IF_ERROR(PutParts(sha256, bytes));
  } else {
    SAFERL_RETURN_IF_ERROR(client_
                               ->Send({.method = Method::kPut,
                                       .key = sha256,
                                       .body = std::string(bytes),
                                       .sha256 = sha256})
                               .status());
  }
  return sha256;
}

Status S3Objects::PutParts(const std::string& sha256, std::string_view bytes) {
  SAFERL_ASSIGN_OR_RETURN(
      const net::ClientResponse begun,
      client_->Send({.method = Method::kPost, .key = sha256, .query = {{"uploads", ""}}}));
  SAFERL_ASSIGN_OR_RETURN(const XmlElement answer, ParseXml(begun.body));
  const std::string upload_id(answer.Text("UploadId"));
  if (upload_id.empty()) return absl::UnavailableError("s3: no UploadId in the answer");
  const Status uploaded = UploadParts(sha256, upload_id, bytes);
  if (uploaded.ok()) return uploaded;
  // An upload that was completed although its answer got lost is as good.
  const StatusOr<bool> there = HasSize(sha256, bytes.size());
  if (there.ok() && *there) return absl::OkStatus();
  const Status aborted =
      client_->Send({.method = Method::kDelete, .key = sha256, .query = {{"uploadId", upload_id}}})
          .status();
  if (aborted.ok() || absl::IsNotFound(aborted)) return uploaded;
  return Status(uploaded.code(),
                Cat(uploaded.message(), "; its parts are still there: ", aborted.message()));
}

Status S3Objects::UploadParts(const std::string& sha256, const std::string& upload_id,
                              std::string_view bytes) {
  std::string complete = "<CompleteMultipartUpload>";
  for (uint64_t number = 1, at = 0; at < bytes.size(); ++number, at += part_bytes_) {
    SAFERL_ASSIGN_OR_RETURN(
        const net::ClientResponse part,
        client_->Send({.method = Method::kPut,
                       .key = sha256,
                       .query = {{"partNumber", Cat(number)}, {"uploadId", upload_id}},
                       .body = std::string(bytes.substr(at, part_bytes_))}));
    const std::string* etag = part.headers.Find("ETag");
    if (etag == nullptr) return absl::UnavailableError("s3: a part without ETag");
    complete += Cat("<Part><PartNumber>", number, "</PartNumber><ETag>", EscapeXml(*etag),
                    "</ETag></Part>");
  }
  complete += "</CompleteMultipartUpload>";
  SAFERL_ASSIGN_OR_RETURN(const net::ClientResponse done,
                          client_->Send({.method = Method::kPost,
                                         .key = sha256,
                                         .query = {{"uploadId", upload_id}},
                                         .body = complete}));
  // The status was sent before the work was done: the truth is in the body.
  SAFERL_ASSIGN_OR_RETURN(const XmlElement result, ParseXml(done.body));
  if (result.name == "CompleteMultipartUploadResult") return absl::OkStatus();
  return absl::UnavailableError(
      Cat("s3: completing the upload: ", result.Text("Code"), " ", result.Text("Message")));
}

StatusOr<std::string> S3Objects::Get(std::string_view sha256) {
  if (!IsDigest(sha256)) return BadDigest(sha256);
  for (const bool last : {false, true}) {  // once more: the damage may have been on the way
    StatusOr<net::ClientResponse> response = client_->Send({.key = std::string(sha256)});
    if (!response.ok()) return response.status();
    if (Sha256Hex(response->body) == sha256) return std::move(response->body);
    if (last) break;
  }
  return absl::DataLossError(Cat("s3: ", client_->prefix(), sha256,
                                 ": its bytes have another digest; delete it and put it again"));
}

StatusOr<bool> S3Objects::Has(std::string_view sha256) {
  if (!IsDigest(sha256)) return BadDigest(sha256);
  const Status head = client_->Send({.method = Method::kHead, .key = std::string(sha256)}).status();
  if (absl::IsNotFound(head)) return false;
  if (!head.ok()) return head;
  return true;
}

Status S3Objects::Delete(std::string_view sha256) {
  if (!IsDigest(sha256)) return BadDigest(sha256);
  const Status deleted =
      client_->Send({.method = Method::kDelete, .key = std::string(sha256)}).status();
  return absl::IsNotFound(deleted) ? absl::OkStatus() : deleted;
}

Status S3Objects::List(const std::function<void(std::string_view, uint64_t)>& each) {
  std::string token, last_key;
  do {
    S3Client::Request request{.on_bucket = true, .query = {{"list-type", "2"}}};
    if (!client_->prefix().empty()) request.query.emplace_back("prefix", client_->prefix());
    if (!token.empty()) request.query.emplace_back("continuation-token", token);
    SAFERL_ASSIGN_OR_RETURN(const net::ClientResponse response, client_->Send(request));
    SAFERL_ASSIGN_OR_RETURN(S3Page page, ParseS3Page(response.body));
    for (const S3Page::Object& object : page.objects) {
      if (object.key <= last_key) {  // else a server could make us go round for ever
        return absl::UnavailableError(Cat("s3: list: '", object.key, "' is out of order"));
      }
      last_key = object.key;
      std::string_view name = object.key;
      if (!name.starts_with(client_->prefix())) continue;
      name.remove_prefix(client_->prefix().size());
      if (IsDigest(name)) each(name, object.size);
    }
    if (!page.next_token.empty() && page.objects.empty()) {
      return absl::UnavailableError("s3: list: an empty page that is not the last");
    }
    token = std::move(page.next_token);
  } while (!token.empty());
  return absl::OkStatus();
}

Status S3Objects::Check() {
  return client_->Send({.method = Method::kPut, .key = kProbe}).status();
}

}  // namespace

StatusOr<std::unique_ptr<Objects>> OpenObjectsS3(const ObjectsOptions& options) {
  SAFERL_ASSIGN_OR_RETURN(std::unique_ptr<S3Client> client, S3Client::Create(options));
  return std::make_unique<S3Objects>(options, std::move(client));
}

}  // namespace saferl::storage
