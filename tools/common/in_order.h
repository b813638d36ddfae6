// SPDX-License-Identifier: Apache-2.0
// Work that several threads do side by side and one tells of, in the order in which it was taken.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace vit::tool {

/// `take()` gives a std::optional of the next piece, nothing at the end; one thread at a time calls it, and nobody waits for it
/// with finished work in hand. `work(worker, piece)`: worker < workers, one thread for each. `tell(piece)` runs in the calling
/// thread; false ends it all, and what was taken besides is dropped. An exception of `take` or `work` comes out of the call when
/// all before it was told of. At most `ahead` pieces are taken and not yet told of.
template <class Take, class Work, class Tell>
void in_order(size_t workers, size_t ahead, Take take, Work work, Tell tell) {
  using Piece = typename decltype(take())::value_type;
  struct Slot {
    std::optional<Piece> piece;
    std::exception_ptr failure;
    bool done = false;
  };
  std::mutex taking, mutex;
  std::condition_variable changed;
  std::deque<std::shared_ptr<Slot>> slots;
  size_t running = workers;
  bool ended = false;

  const auto next_slot = [&]() -> std::shared_ptr<Slot> {
    const std::lock_guard one_at_a_time(taking);
    {
      std::unique_lock lock(mutex);
      changed.wait(lock, [&] { return ended || slots.size() < ahead; });
      if (ended) return nullptr;
    }
    auto slot = std::make_shared<Slot>();
    try {
      slot->piece = take();
    } catch (...) {
      slot->failure = std::current_exception();
    }
    const std::lock_guard lock(mutex);
    if (!slot->piece) ended = true;
    if (!slot->piece && !slot->failure) return nullptr;
    slot->done = slot->failure != nullptr;
    slots.push_back(slot);
    return slot;
  };
  const auto run = [&](size_t worker) {
    while (const std::shared_ptr<Slot> slot = next_slot()) {
      if (slot->piece) {
        try {
          work(worker, *slot->piece);
        } catch (...) {
          slot->failure = std::current_exception();
        }
      }
      const std::lock_guard lock(mutex);
      slot->done = true;
      changed.notify_all();
    }
    const std::lock_guard lock(mutex);
    --running;
    changed.notify_all();
  };

  std::vector<std::jthread> threads;  // joined when they go out of scope, whatever happens
  for (size_t i = 0; i < workers; ++i) threads.emplace_back(run, i);
  const auto end = [&] {
    const std::lock_guard lock(mutex);
    ended = true;
    changed.notify_all();
  };
  try {
    for (;;) {
      std::shared_ptr<Slot> slot;
      {
        std::unique_lock lock(mutex);
        changed.wait(lock, [&] { return slots.empty() ? running == 0 : slots.front()->done; });
        if (slots.empty()) break;
        slot = slots.front();
        slots.pop_front();
        changed.notify_all();
      }
      if (slot->failure) std::rethrow_exception(slot->failure);
      if (!tell(*slot->piece)) break;
    }
  } catch (...) {
    end();
    throw;
  }
  end();
}

}  // namespace vit::tool
