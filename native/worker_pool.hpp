// A few threads that wait for large tensors, and survive a fork.
#pragma once

#include <cstdint>
#include <functional>

namespace wellposed {

// Calls `work(i)` once for every i from 0 to `tasks`, on up to `threads` threads, the caller's among them, and returns
// when all calls have. In what order, and on which thread, is open. `work` must not throw.
void run_parallel(int64_t tasks, int threads, const std::function<void(int64_t)> &work);

}  // namespace wellposed
