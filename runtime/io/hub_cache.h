// SPDX-License-Identifier: Apache-2.0
// Models by the names that they have on the Hugging Face hub, from this machine's cache. Nothing is downloaded.
#pragma once

#include <string>

namespace vit {

/// Whether a path may also be a name on the hub: "org/name", both of letters, digits, '-', '_' and '.', and no ".." among them.
bool is_hub_name(const std::string& path);

/// Where huggingface_hub keeps models: HF_HUB_CACHE, else HUGGINGFACE_HUB_CACHE, else hub in HF_HOME, else huggingface/hub in
/// XDG_CACHE_HOME, else in ~/.cache. Empty variables count as absent. Empty without any of them and without HOME.
std::string hub_cache_folder();

struct HubEntry {
  std::string root;      ///< models--org--name in the cache: links may lead to places inside it
  std::string snapshot;  ///< the folder of the revision that refs/main names
};
/// The cache's entry for `name`, which is_hub_name(). Throws Error(kModel), which says where was looked.
HubEntry find_in_hub_cache(const std::string& name);

}  // namespace vit
