#include "saferl/telemetry/trace.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "saferl/base/clock.h"
#include "saferl/base/json.h"
#include "saferl/base/log.h"
#include "saferl/base/text.h"
#include "saferl/net/http_client.h"
#include "saferl/net/trace_context.h"
#include "saferl/telemetry/catalogue_table.h"

namespace saferl::telemetry {
namespace {

/// The first `ratio` of all trace ids, by their last 7 bytes, which W3C wants to be random.
bool Chosen(std::string_view trace_id, double ratio) {
  if (ratio >= 1) return true;
  if (trace_id.size() < 14) return false;
  const uint64_t random =
      std::stoull(std::string(trace_id.substr(trace_id.size() - 14)), nullptr, 16);
  return static_cast<double>(random) < ratio * 0x1p56;
}

std::string AnyValue(std::string_view kind, const JsonWriter& value) {
  return Cat("{\"", kind, "\":", value.text(), "}");
}

bool IsHeader(std::string_view name) { return name == "content-type" || name == "Content-Type"; }

}  // namespace

Span::Span(Tracer* tracer, SpanData data, int64_t start_ns)
    : tracer_(tracer), data_(std::move(data)), start_ns_(start_ns) {}
Span::Span(Span&& other) noexcept
    : tracer_(std::exchange(other.tracer_, nullptr)),
      data_(std::move(other.data_)),
      start_ns_(other.start_ns_) {}

void Span::Set(std::string_view key, std::string_view value) {
  if (tracer_ == nullptr) return;
  data_.attributes.emplace_back(key, AnyValue("stringValue", JsonWriter().Value(value)));
}
void Span::Set(std::string_view key, int64_t value) {
  if (tracer_ == nullptr) return;  // 64-bit numbers are texts in protobuf's JSON
  data_.attributes.emplace_back(key, AnyValue("intValue", JsonWriter().Value(Cat(value))));
}
void Span::Set(std::string_view key, double value) {
  if (tracer_ == nullptr) return;
  data_.attributes.emplace_back(key, AnyValue("doubleValue", JsonWriter().Value(value)));
}
void Span::Fail(std::string_view error) {
  data_.failed = true;
  data_.error = error;
}
void Span::End() {
  if (tracer_ == nullptr) return;
  data_.duration_ns = Nanos() - start_ns_;
  std::exchange(tracer_, nullptr)->Record(std::move(data_));
}

struct Tracer::Impl {
  TracerOptions options;
  Counter &exported, &dropped_queue, &dropped_export;
  std::mutex mutex;
  std::condition_variable wake, idle;
  std::vector<SpanData> queue;  // below: guarded by mutex
  bool stop = false, sending = false, flush = false;
  std::thread thread;

  Impl(TracerOptions o, Metrics& metrics)
      : options(std::move(o)),
        exported(MakeCounter(metrics, "saferl_trace_spans_exported_total")),
        dropped_queue(
            MakeCounter(metrics, "saferl_trace_spans_dropped_total", {{"reason", "queue"}})),
        dropped_export(
            MakeCounter(metrics, "saferl_trace_spans_dropped_total", {{"reason", "export"}})) {}

  void Loop();
  bool Export(net::HttpClient& client, const std::vector<SpanData>& spans);
  bool Pause(double seconds);
};

/// Waits, unless the tracer ends before. True: it ends.
bool Tracer::Impl::Pause(double seconds) {
  std::unique_lock lock(mutex);
  return wake.wait_for(lock, std::chrono::duration<double>(seconds), [&] { return stop; });
}

/// False: the spans are lost.
bool Tracer::Impl::Export(net::HttpClient& client, const std::vector<SpanData>& spans) {
  net::ClientRequest request{.method = net::Method::kPost, .url = options.url};
  request.headers.Set("Content-Type", "application/json");
  for (const auto& [name, value] : options.headers) {
    if (!IsHeader(name)) request.headers.Set(name, value);
  }
  request.body = OtlpJson(options.service, spans);
  double pause_s = options.retry_after_s;
  for (int attempt = 0;; ++attempt, pause_s *= 2) {
    const StatusOr<net::ClientResponse> answer = client.Send(request);
    if (answer.ok() && answer->status >= 200 && answer->status < 300) {
      uint64_t rejected = 0;
      if (const StatusOr<Node> body = ParseJson(answer->body, "collector"); body.ok()) {
        if (const Node* partial = body->Find("partialSuccess")) {
          const Node* count = partial->Find("rejectedSpans");  // a number, or a text of one
          if (count != nullptr && count->is_scalar()) {
            rejected =
                std::min<uint64_t>(std::strtoull(count->text().c_str(), nullptr, 10), spans.size());
          }
        }
      }
      exported.Add(spans.size() - rejected);
      dropped_export.Add(rejected);
      return true;
    }
    const int status = answer.ok() ? answer->status : 0;
    const bool again =
        status == 0 || status == 429 || status == 502 || status == 503 || status == 504;
    if (!again || attempt >= options.retries || Pause(pause_s)) {
      dropped_export.Add(spans.size());
      Log(LogLevel::kWarning, "spans were not accepted by the collector",
          {{"spans", spans.size()},
           {"url", options.url},
           {"status", status},
           {"error", answer.ok() ? "" : Cat(answer.status().message())}});
      return false;
    }
  }
}

void Tracer::Impl::Loop() {
  net::HttpClient client({.timeout_s = options.timeout_s,
                          .ca_file = "",
                          .cert_file = "",
                          .key_file = "",
                          .proxy = ""});
  std::unique_lock lock(mutex);
  while (true) {
    wake.wait_for(lock, std::chrono::duration<double>(options.interval_s),
                  [&] { return stop || flush || queue.size() >= options.max_batch; });
    flush = false;
    while (!queue.empty()) {
      const size_t n = std::min(queue.size(), options.max_batch);
      std::vector<SpanData> batch(std::make_move_iterator(queue.begin()),
                                  std::make_move_iterator(queue.begin() + static_cast<long>(n)));
      queue.erase(queue.begin(), queue.begin() + static_cast<long>(n));
      sending = true;
      lock.unlock();
      const bool sent = Export(client, batch);
      lock.lock();
      sending = false;
      if (stop && !sent) {  // the end does not wait for a collector that does not answer
        dropped_export.Add(queue.size());
        queue.clear();
      }
    }
    idle.notify_all();
    if (stop) return;
  }
}

Tracer::Tracer(TracerOptions options, Metrics& metrics)
    : impl_(std::make_unique<Impl>(std::move(options), metrics)) {
  if (impl_->options.url.empty()) return;
  impl_->queue.reserve(impl_->options.max_queue);
  impl_->thread = std::thread([impl = impl_.get()] { impl->Loop(); });
}

Tracer::~Tracer() {
  if (!impl_->thread.joinable()) return;
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->stop = true;
  }
  impl_->wake.notify_all();
  impl_->thread.join();
}

SpanContext Tracer::ContextOf(const net::Request& request) const {
  const bool begins_here = request.parent_span_id.empty();
  const bool sampled =
      begins_here ? Chosen(request.trace_id, impl_->options.sample_ratio) : request.trace_sampled;
  return {request.trace_id, request.span_id, sampled && !impl_->options.url.empty()};
}

Span Tracer::Start(std::string_view name, const SpanContext& parent, SpanKind kind) {
  SpanData data;
  const bool begins_here = parent.trace_id.empty();
  data.context.trace_id = begins_here ? net::RandomHex(16) : parent.trace_id;
  data.context.span_id = net::RandomHex(8);
  data.context.sampled =
      !impl_->options.url.empty() &&
      (begins_here ? Chosen(data.context.trace_id, impl_->options.sample_ratio) : parent.sampled);
  if (!data.context.sampled) return Span(nullptr, std::move(data), 0);
  data.parent_span_id = parent.span_id;
  data.name = name;
  data.kind = kind;
  data.start_wall_ns = WallNanos();
  return Span(this, std::move(data), Nanos());
}

void Tracer::Record(const net::RequestRecord& record) {
  if (record.request == nullptr) return;
  SpanContext context = ContextOf(*record.request);
  if (!context.sampled) return;
  const std::string_view route =
      record.route == nullptr ? std::string_view() : std::string_view(record.route->pattern);
  const std::string_view method = net::Name(record.request->method);
  const auto text = [](std::string_view value) {
    return AnyValue("stringValue", JsonWriter().Value(value));
  };
  SpanData span;
  span.context = std::move(context);
  span.parent_span_id = record.request->parent_span_id;
  span.name = route.empty() ? std::string(method) : Cat(method, " ", route);
  span.kind = SpanKind::kServer;
  span.start_wall_ns = WallNanos() - record.duration_ns;
  span.duration_ns = record.duration_ns;
  span.attributes = {
      {"http.request.method", text(method)},
      {"url.path", text(record.request->path)},
      {"http.response.status_code", AnyValue("intValue", JsonWriter().Value(Cat(record.status)))},
      {"saferl.request_id", text(record.request->request_id)}};
  if (!route.empty()) span.attributes.emplace_back("http.route", text(route));
  span.failed = record.status >= 500;
  Record(std::move(span));
}

void Tracer::Record(SpanData span) {
  bool full_batch = false;
  {
    const std::lock_guard lock(impl_->mutex);  // held for a move, never for input or output
    if (impl_->queue.size() >= impl_->options.max_queue || !impl_->thread.joinable()) {
      impl_->dropped_queue.Add();
      return;
    }
    impl_->queue.push_back(std::move(span));
    full_batch = impl_->queue.size() == impl_->options.max_batch;
  }
  if (full_batch) impl_->wake.notify_one();
}

void Tracer::Flush() {
  if (!impl_->thread.joinable()) return;
  std::unique_lock lock(impl_->mutex);
  impl_->flush = true;
  impl_->wake.notify_one();
  impl_->idle.wait(lock, [&] { return impl_->queue.empty() && !impl_->sending; });
}

}  // namespace saferl::telemetry
