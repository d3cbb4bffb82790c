-- Degraded when a webhook receiver cannot be set up, for instance because its Secret is missing.
local ready
if obj.status ~= nil and obj.status.conditions ~= nil then
  for _, condition in ipairs(obj.status.conditions) do
    if condition.type == "Ready" then ready = condition end
  end
end
if ready == nil or (ready.observedGeneration or obj.metadata.generation) ~= obj.metadata.generation then
  return { status = "Progressing", message = "Waiting for Kargo to read the ProjectConfig" }
end
if ready.status == "True" then
  return { status = "Healthy", message = ready.message }
end
if ready.reason == "SyncingWebhooks" then
  return { status = "Progressing", message = ready.message }
end
return { status = "Degraded", message = ready.message }
