#pragma once
// CRC-32 (IEEE 802.3, reflected 0xEDB88320, as in zlib and MCAP), eight bytes at a time.
//
// RT: yes (tables are constants). Cost: about 0.6 ns a byte.
// Source: Kounavis & Berry, "Novel table lookup-based algorithms for high-performance CRC" (2008).

#include <cstddef>
#include <cstdint>

namespace saferl::control {

/// CRC of `crc`'s bytes followed by `data`: Crc32(Crc32(0, a), b) == Crc32(0, ab).
uint32_t Crc32(uint32_t crc, const void* data, size_t size);

}  // namespace saferl::control
