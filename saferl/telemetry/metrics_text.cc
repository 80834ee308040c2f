// The text of a scrape: Prometheus exposition format 0.0.4 and OpenMetrics 1.0.
#include <charconv>
#include <cmath>

#include "saferl/base/json.h"
#include "saferl/base/text.h"
#include "saferl/telemetry/metrics_registry.h"

namespace saferl::telemetry {
namespace internal {
namespace {

void AppendReal(double x, std::string* out) {
  if (std::isnan(x)) {
    *out += "NaN";
  } else if (std::isinf(x)) {
    *out += x > 0 ? "+Inf" : "-Inf";
  } else {
    char buffer[40];
    out->append(buffer, std::to_chars(buffer, buffer + sizeof buffer, x).ptr);
  }
}

void AppendWhole(uint64_t n, std::string* out) {
  char buffer[24];
  out->append(buffer, std::to_chars(buffer, buffer + sizeof buffer, n).ptr);
}

/// A bucket's edge as a label: always with a point or an exponent, so that it is one text in both
/// formats.
std::string EdgeText(double edge) {
  std::string text;
  AppendReal(edge, &text);
  return text.find_first_of(".e") == std::string::npos ? text + ".0" : text;
}

std::string Escape(std::string_view text, bool quotes) {
  std::string out;
  while (!text.empty()) {
    const size_t length = Utf8Length(text);
    const char c = text.front();
    if (length == 0) {
      out += "\xef\xbf\xbd";
    } else if (c == '\\' || (quotes && c == '"')) {
      out += {'\\', c};
    } else if (c == '\n') {
      out += "\\n";
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return out;
}

void WriteHead(const std::string& name, const Family& family, TextFormat format, std::string* out) {
  static constexpr const char* kTypes[] = {"counter", "gauge", "histogram"};
  const bool open = format == TextFormat::kOpenMetrics;
  std::string_view shown = name;
  if (open && family.kind == Kind::kCounter) shown.remove_suffix(sizeof "_total" - 1);
  *out += Cat("# HELP ", shown, " ", Escape(family.help, open), "\n# TYPE ", shown, " ",
              kTypes[static_cast<int>(family.kind)], "\n");
}

void WriteHistogram(const Series& series, size_t bounds, std::string* out) {
  uint64_t below = 0;
  for (size_t i = 0; i <= bounds; ++i) {
    below += SumOf(series.cells + i);
    *out += series.prefixes[i];
    AppendWhole(below, out);
    *out += '\n';
  }
  *out += series.prefixes[bounds + 1];
  AppendReal(RealSumOf(series.cells + bounds + 1), out);
  *out += '\n';
  *out += series.prefixes[bounds + 2];
  AppendWhole(below, out);
  *out += '\n';
}

}  // namespace

std::string LabelText(const Labels& labels) {
  std::string text;
  for (const auto& [name, value] : labels) {
    text += Cat(text.empty() ? "" : ",", name, "=\"", Escape(value, true), "\"");
  }
  return text;
}

std::vector<std::string> Prefixes(Kind kind, std::string_view name, std::string_view label_text,
                                  std::span<const double> bounds) {
  const std::string braced = label_text.empty() ? "" : Cat("{", label_text, "}");
  if (kind != Kind::kHistogram) return {Cat(name, braced, " ")};
  std::vector<std::string> prefixes;
  const std::string before = Cat(name, "_bucket{", label_text, label_text.empty() ? "" : ",");
  for (const double bound : bounds) {
    prefixes.push_back(Cat(before, "le=\"", EdgeText(bound), "\"} "));
  }
  prefixes.push_back(Cat(before, "le=\"+Inf\"} "));
  prefixes.push_back(Cat(name, "_sum", braced, " "));
  prefixes.push_back(Cat(name, "_count", braced, " "));
  return prefixes;
}

void WriteFamily(const std::string& name, const Family& family, TextFormat format,
                 std::string* out) {
  if (family.series.empty()) return;
  WriteHead(name, family, format, out);
  for (const auto& [labels, series] : family.series) {
    if (family.kind == Kind::kHistogram) {
      WriteHistogram(series, family.bounds.size(), out);
      continue;
    }
    *out += series.prefixes[0];
    if (family.kind == Kind::kGauge) {
      AppendReal(series.gauge->Value(), out);
    } else if (family.per_unit == 1) {
      AppendWhole(series.counter->Value(), out);
    } else {
      AppendReal(static_cast<double>(series.counter->Value()) / family.per_unit, out);
    }
    *out += '\n';
  }
}

}  // namespace internal

TextFormat NegotiateFormat(std::string_view accept) {
  return accept.find("application/openmetrics-text") == std::string_view::npos
             ? TextFormat::kPrometheus
             : TextFormat::kOpenMetrics;
}

std::string_view ContentType(TextFormat format) {
  return format == TextFormat::kOpenMetrics
             ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
             : "text/plain; version=0.0.4; charset=utf-8";
}

}  // namespace saferl::telemetry
