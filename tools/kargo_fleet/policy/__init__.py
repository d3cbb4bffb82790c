"""Policy: what the values of services are held to, whatever their own files say."""
