#pragma once
// Objects in a directory: PATH/ab/cdef... (the digest), PATH/tmp/ for what is being written.
//
// Put: temporary file, fsync, rename, fsync of the shard (and of PATH when the shard is new), then
// the answer. Several processes may share PATH: a writer holds flock on its temporary file, and
// whoever opens the store removes the temporary files that nobody holds.
// Symbolic links below PATH are never followed. Files are 0600, directories 0700. RT: no.

#include <memory>

#include "saferl/storage/objects.h"

namespace saferl::storage {

StatusOr<std::unique_ptr<Objects>> OpenObjectsDirectory(const ObjectsOptions& options);

}  // namespace saferl::storage
