-- Healthy once Kargo has set up the namespace and its permissions. A sync waits for this before it goes on to the Stages.
local ready, stalled
if obj.status ~= nil and obj.status.conditions ~= nil then
  for _, condition in ipairs(obj.status.conditions) do
    if condition.type == "Ready" then ready = condition end
    if condition.type == "Stalled" then stalled = condition end
  end
end
if stalled ~= nil and stalled.status == "True" then
  return { status = "Degraded", message = stalled.message }
end
if ready == nil or (ready.observedGeneration or obj.metadata.generation) ~= obj.metadata.generation then
  return { status = "Progressing", message = "Waiting for Kargo to set up the Project" }
end
if ready.status == "True" then
  return { status = "Healthy", message = ready.message }
end
if ready.reason == "Syncing" then
  return { status = "Progressing", message = ready.message }
end
return { status = "Degraded", message = ready.message }
