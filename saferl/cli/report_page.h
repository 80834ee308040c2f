#pragma once
// The fixed parts of the report page: style and player. RT: no.

namespace saferl::cli {

extern const char* const kReportHead;  ///< from <!doctype> to the opening of <body>
extern const char* const
    kReportPlayer;  ///< the <script> that draws plots and plays drives from window.report

}  // namespace saferl::cli
