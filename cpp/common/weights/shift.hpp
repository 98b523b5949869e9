// How a weight takes the maximum of its row.
#pragma once

namespace fastsoftmax {

/// none: m is folded into constants. by_maximum: m is subtracted from x first, where it is too
/// large for that (`limit` of each weight).
enum class Shift { none, by_maximum };

} // namespace fastsoftmax
