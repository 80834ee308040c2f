#include "saferl/cli/report.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "saferl/base/file.h"
#include "saferl/base/json.h"
#include "saferl/base/table.h"
#include "saferl/base/text.h"
#include "saferl/cli/report_page.h"
#include "saferl/safety/mode.h"

namespace saferl::cli {
namespace {

std::string Escape(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

/// Three decimals are a millimetre: enough for a picture, and the page stays small.
double Rounded(double value) {
  return std::isfinite(value) ? std::round(value * 1000) / 1000 : value;
}

void WriteScene(const sim::Scene& scene, JsonWriter* w) {
  w->Key("scene").BeginObject();
  w->Field("x0", scene.x0).Field("y0", scene.y0).Field("x1", scene.x1).Field("y1", scene.y1);
  w->Field("goal_radius", scene.goal_radius_m).Field("true_goal", scene.true_goal);
  w->Key("goals").BeginArray();
  for (const sim::Point& p : scene.goals) w->Value(std::array{Rounded(p.x), Rounded(p.y)});
  w->EndArray().Key("boxes").BeginArray();
  for (size_t i = 0; i < scene.boxes.size(); ++i) {
    const sim::Box& b = scene.boxes[i];
    w->Value(std::array{Rounded(b.x), Rounded(b.y), Rounded(b.yaw), Rounded(b.half_x),
                        Rounded(b.half_y), static_cast<double>(scene.kinds[i])});
  }
  w->EndArray().EndObject();
}

std::string Outcome(const sim::DriveResult& result) {
  if (result.goal_reached) return Cat("goal after ", Significant(result.time_s), " s");
  if (result.collision != sim::Hit::kNothing) return Cat("hit ", sim::Name(result.collision));
  return "time over";
}

void WriteTrace(const ReportTrace& trace, JsonWriter* w) {
  w->BeginObject().Field("title", trace.title).Field("outcome", Outcome(trace.result));
  WriteScene(*trace.scene, w);
  const auto list = [&](const char* key, const auto& value) {
    w->Key(key).BeginArray();
    for (const sim::TraceFrame& frame : trace.result.trace) value(frame);
    w->EndArray();
  };
  using Frame = sim::TraceFrame;
  list("t", [&](const Frame& f) { w->Value(Rounded(f.t_s)); });
  list("q", [&](const Frame& f) {
    w->Value(std::array{Rounded(f.q[0]), Rounded(f.q[1]), Rounded(f.q[2])});
  });
  list("person",
       [&](const Frame& f) { w->Value(std::array{Rounded(f.human_u[0]), Rounded(f.human_u[1])}); });
  list("sent",
       [&](const Frame& f) { w->Value(std::array{Rounded(f.sent_u[0]), Rounded(f.sent_u[1])}); });
  list("mode", [&](const Frame& f) { w->Value(safety::Name(f.mode)); });
  list("reason", [&](const Frame& f) { w->Value(safety::Name(f.reason)); });
  list("margin", [&](const Frame& f) { w->Value(Rounded(f.margin_m)); });
  list("authority", [&](const Frame& f) { w->Value(Rounded(f.authority)); });
  list("people", [&](const Frame& f) {
    w->BeginArray();
    for (const sim::Point& p : f.people) w->Value(std::array{Rounded(p.x), Rounded(p.y)});
    w->EndArray();
  });
  w->EndObject();
}

std::string DataScript(const Report& report) {
  JsonWriter w;
  w.BeginObject();
  w.Field("footprint",
          std::array{report.footprint.rear, report.footprint.front, report.footprint.half_width});
  w.Field("cost_names", report.cost_names).Field("cost_limits", report.cost_limits);
  w.Key("training").BeginArray();
  for (const TrainingPoint& p : report.training) {
    w.BeginObject()
        .Field("steps", p.steps)
        .Field("ret", p.episode_return)
        .Field("success", p.success);
    w.Field("cost", p.cost).EndObject();
  }
  w.EndArray().Key("traces").BeginArray();
  for (const ReportTrace& trace : report.traces) WriteTrace(trace, &w);
  w.EndArray().EndObject();
  // "</" would end the script element early.
  std::string json = w.Take();
  for (size_t at = json.find("</"); at != std::string::npos; at = json.find("</", at + 3))
    json.insert(at + 1, "\\");
  return Cat("<script>window.report = ", json, ";</script>\n");
}

std::string Percent(double share) { return Cat(static_cast<int>(std::lround(100 * share)), " %"); }

std::string TableHtml(const Report& report) {
  std::string html =
      "<div class=\"scroll\"><table><thead><tr><th rowspan=\"2\">person at the stick</th>"
      "<th class=\"group\" colspan=\"3\">alone</th><th class=\"group\" colspan=\"3\">blended, no "
      "filter</th>"
      "<th class=\"group\" colspan=\"5\">full system</th></tr><tr>"
      "<th>goals</th><th>time</th><th>collisions</th><th>goals</th><th>time</th><th>collisions</th>"
      "<th>goals</th><th>time</th><th>collisions</th><th>changed</th><th>distortion</th></tr></"
      "thead><tbody>\n";
  for (const ReportRow& row : report.rows) {
    html += Cat("<tr><td title=\"", Escape(row.description), "\">", Escape(row.person), "</td>");
    for (size_t c = 0; c < row.column.size(); ++c) {
      const DriveSummary& s = row.column[c];
      html += Cat("<td class=\"first\">", s.reached, "/", s.drives, "</td><td>",
                  s.reached > 0 ? Cat(Significant(s.time_s), " s") : std::string("-"),
                  "</td><td class=\"", s.collisions == 0 ? "good" : "bad", "\">", s.collisions,
                  "</td>");
      if (c == 2)
        html += Cat("<td>", Percent(s.interventions), "</td><td>", Percent(s.distortion), "</td>");
    }
    html += "</tr>\n";
  }
  return html + "</tbody></table></div>\n";
}

}  // namespace

DriveSummary Summarise(const std::vector<sim::DriveResult>& results) {
  DriveSummary s;
  s.drives = static_cast<int>(results.size());
  s.min_separation_m = std::numeric_limits<double>::infinity();
  int64_t ticks = 0, changed = 0;
  for (const sim::DriveResult& r : results) {
    s.reached += r.goal_reached;
    s.collisions += r.collision != sim::Hit::kNothing;
    if (r.goal_reached) s.time_s += r.time_s;
    s.distortion += r.mean_distortion / s.drives;
    s.min_separation_m = std::min(s.min_separation_m, r.min_moving_separation_m);
    s.unproved_ticks += r.unproved_moving_ticks;
    ticks += r.ticks;
    changed += r.interventions;
  }
  if (s.reached > 0) s.time_s /= s.reached;
  if (ticks > 0) s.interventions = static_cast<double>(changed) / static_cast<double>(ticks);
  return s;
}

std::string RenderReport(const Report& report) {
  int drives = 0, collisions = 0;
  for (const ReportRow& row : report.rows) {
    drives += row.column[2].drives;
    collisions += row.column[2].collisions;
  }
  std::string html = kReportHead;
  html += Cat("<h1>A person and a policy drive one ", Escape(report.robot),
              "</h1>\n<p class=\"soft\">policy ", Escape(report.policy), " &middot; commit ",
              Escape(report.commit), " &middot; made by <code>", Escape(report.command),
              "</code></p>\n<p>With the full system: <b>", drives, " drives, ", collisions,
              collisions == 1 ? " collision" : " collisions",
              "</b>. A collision is touching something while the chair moves.</p>\n");
  html += "<h2>What it does for each person</h2>\n" + TableHtml(report);
  html +=
      "<p class=\"soft\"><b>alone</b>: the person's command, limited only by the motors. "
      "<b>blended</b>: person and "
      "policy mixed by belief in the goal, nothing checked. <b>full system</b>: the same blend, "
      "then only commands "
      "whose braking manoeuvre is proved safe. <b>changed</b>: share of ticks in which the filter "
      "altered the wish. "
      "<b>distortion</b>: mean distance between the person's command and the sent one, as a share "
      "of the limits.</p>\n";
  html +=
      "<h2>Drives, from above</h2>\n<p class=\"key\"><span "
      "style=\"background:var(--person);margin-left:0\"></span>"
      "person's wish (arrow), pedestrians<span style=\"background:var(--sent)\"></span>chair and "
      "its path, "
      "white arrow: what was sent<span style=\"background:var(--bad)\"></span>chair in any mode "
      "but nominal"
      "<span style=\"background:var(--good)\"></span>the goal that is meant</p>\n"
      "<div class=\"controls\"><select id=\"choose\" aria-label=\"drive\"></select>"
      "<button id=\"play\">Pause</button><span class=\"soft\">twice real time</span>"
      "<input type=\"range\" id=\"time\" min=\"0\" value=\"0\" aria-label=\"time\"></div>\n"
      "<div class=\"player\"><canvas id=\"view\"></canvas><dl id=\"facts\"></dl></div>\n"
      "<h2>Signals of this drive</h2>\n<div class=\"plots\" id=\"signals\"></div>\n";
  html += Cat(report.training.empty() ? "" : "<h2>Training, by simulated steps</h2>\n",
              "<div class=\"plots\" id=\"training\"></div>\n");
  return html + DataScript(report) + kReportPlayer;
}

Status WriteReport(const Report& report, const std::string& path) {
  return WriteFileAtomic(path, RenderReport(report));
}

}  // namespace saferl::cli
