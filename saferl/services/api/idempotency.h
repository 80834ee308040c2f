#pragma once
// Idempotency keys: a POST with "Idempotency-Key: K" takes effect once, however often it is sent.
//
// The first request with a key runs; its answer is kept for 24 h and given again to every later
// request with that key, with "Idempotency-Replayed: true". The same key with another method, path,
// query or body is 422. While the first still runs, a second is 409 with Retry-After. Answers of
// 500 and above are not kept: the client may try again. A key whose first request died with its
// process is free again after a minute. RT: no. Errors: as the database's (503: nothing ran).
// Source: draft-ietf-httpapi-idempotency-key-header.

#include <functional>
#include <memory>

#include "saferl/net/router.h"
#include "saferl/storage/database.h"

namespace saferl::services {

class Idempotency {
 public:
  /// Makes its table. `database` must outlive it.
  static StatusOr<std::unique_ptr<Idempotency>> Open(storage::Database* database);
  /// Makes a route's handler run at most once per key, and its entry of the document say so.
  void Once(net::Route* route);
  /// Runs `handler` at most once per key; at once when the request has no key.
  net::Response Run(const net::Request& request,
                    const std::function<net::Response(const net::Request&)>& handler);

 private:
  explicit Idempotency(storage::Database* database) : database_(database) {}
  net::Response Again(const net::Request& request, const std::string& key,
                      const std::string& fingerprint);

  storage::Database* database_;
};

}  // namespace saferl::services
