#pragma once
// libpq, loaded when the first connection is opened: who stores rows in SQLite needs none of it and
// of what it brings along (LDAP, Kerberos). For postgres_connection.cc only.
// Errors: status() names the library and its package. RT: no.

#include <libpq-fe.h>

#include "saferl/base/late_library.h"

namespace saferl::storage {

struct PqLibrary final : LateLibrary {
  PqLibrary();
  SAFERL_LATE(PQclear);
  SAFERL_LATE(PQcmdStatus);
  SAFERL_LATE(PQcmdTuples);
  SAFERL_LATE(PQconnectPoll);
  SAFERL_LATE(PQconnectStartParams);
  SAFERL_LATE(PQconninfoFree);
  SAFERL_LATE(PQconninfoParse);
  SAFERL_LATE(PQconsumeInput);
  SAFERL_LATE(PQenterPipelineMode);
  SAFERL_LATE(PQerrorMessage);
  SAFERL_LATE(PQfinish);
  SAFERL_LATE(PQflush);
  SAFERL_LATE(PQfname);
  SAFERL_LATE(PQfreemem);
  SAFERL_LATE(PQftype);
  SAFERL_LATE(PQgetResult);
  SAFERL_LATE(PQgetisnull);
  SAFERL_LATE(PQgetlength);
  SAFERL_LATE(PQgetvalue);
  SAFERL_LATE(PQisBusy);
  SAFERL_LATE(PQnfields);
  SAFERL_LATE(PQntuples);
  SAFERL_LATE(PQpipelineSync);
  SAFERL_LATE(PQresultErrorField);
  SAFERL_LATE(PQresultErrorMessage);
  SAFERL_LATE(PQresultStatus);
  SAFERL_LATE(PQsendPrepare);
  SAFERL_LATE(PQsendQueryParams);
  SAFERL_LATE(PQsendQueryPrepared);
  SAFERL_LATE(PQserverVersion);
  SAFERL_LATE(PQsetErrorVerbosity);
  SAFERL_LATE(PQsetNoticeProcessor);
  SAFERL_LATE(PQsetnonblocking);
  SAFERL_LATE(PQsocket);
  SAFERL_LATE(PQstatus);
  SAFERL_LATE(PQtransactionStatus);
};

/// One for the program. Its functions may be called once status() was seen to be OK.
const PqLibrary& Libpq();

}  // namespace saferl::storage
